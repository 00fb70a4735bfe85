import sort from 'eslint-plugin-simple-import-sort'
import tseslint from 'typescript-eslint'

// House rules that a tool can check: sizes, imports, and where the environment may be read.
export default tseslint.config(
  { ignores: ['**/dist/**', '**/generated/**', 'node_modules/**', 'bench/**/*.py'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    plugins: { sort },
    rules: {
      'sort/imports': 'error',
      'sort/exports': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Typed arrays read `number | undefined` under noUncheckedIndexedAccess; kernels assert with `!`.
      '@typescript-eslint/no-non-null-assertion': 'off',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
      complexity: ['error', 20],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only config.ts reads the environment.' },
      ],
    },
  },
  {
    files: ['**/config.ts', '**/*.test.ts', 'tests/**', 'services/*/test/**', 'vitest.*.ts'],
    rules: {
      'no-restricted-properties': 'off',
      'max-lines': 'off',
      'max-lines-per-function': 'off',
    },
  },
  {
    // Compression code does no I/O: values in, values out.
    files: [
      'packages/{zip,tensor,graph,onnx,ops,passes,channels,calibration,quantization,pruning,evaluation}/src/**/*.ts',
    ],
    // An upload is unpacked into files: @pare/onnx/bundle is the one place that touches them.
    ignores: ['**/*.test.ts', '**/testing.ts', '**/testing/**', 'packages/onnx/src/bundle/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^(node:)?(fs|net|http|https|child_process)(/.*)?$' }] },
      ],
    },
  },
)
