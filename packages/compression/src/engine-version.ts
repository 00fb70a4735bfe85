/**
 * Part of every stage key: raise it whenever a stage may give another result for the same input,
 * or results of the older engine would be taken for today's.
 */
export const ENGINE_VERSION = '0.6.0'
