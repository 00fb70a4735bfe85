/** From an uploaded file to the canonical model: unpack, scan, decode, canonicalize. */
import type { Model } from '@pare/graph'

import { decodeModel } from '../decode/decode-model.js'
import { DATA_ALIGNMENT } from '../external-data.js'
import { scanErrors } from '../scan/errors.js'
import type { ScanLimits, ScanPolicy } from '../scan/limits.js'
import { scanModel } from '../scan/scan-model.js'
import type { ScanReport } from '../scan/scan-report.js'
import { canonicalizeModel } from './canonicalize-model.js'
import { type Bundle, type BundleFile, extractBundle } from './extract-bundle.js'
import type { BundleLimits } from './limits.js'
import { openPlainFile, partOf, type PlainFile } from './plain-file.js'

export interface OpenUploadOptions {
  /** The uploaded file: .onnx or .zip. */
  readonly path: string
  /** An existing empty folder, used when the upload is an archive. */
  readonly directory: string
  readonly limits?: Partial<ScanLimits & BundleLimits>
  readonly policy?: Partial<ScanPolicy>
}

export interface OpenedUpload {
  /** Canonical; hash and run what `planModelFile` makes of it. Large weights are read then. */
  readonly model: Model
  readonly report: ScanReport
  /** Closes the files of the upload, when the model has been written. */
  readonly close: () => void
}

/**
 * Nothing but this code has read the upload when it returns: the scanner accepted every byte before
 * the decoder saw it, and onnxruntime gets neither the upload nor its folder.
 *
 * @throws CodedError of `scanErrors`, all of them faults of the upload
 */
export async function openUpload(options: OpenUploadOptions): Promise<OpenedUpload> {
  const { path, directory, limits = {}, policy = {} } = options
  const bundle = await extractBundle({ path, directory, limits })
  const files = openFiles(bundle)
  const close = () => {
    files.model.close()
    for (const file of files.members.values()) file.close()
  }
  try {
    const members = new Map([...files.members].map(([name, file]) => [name, file.source.size]))
    const report = scanModel(files.model.source, { limits, policy, members })
    const decoded = decodeModel(files.model.readRange(0, files.model.source.size))
    const model = canonicalizeModel(decoded, {
      minLaterBytes: DATA_ALIGNMENT,
      readExternalData: (location, offset, length) => {
        const member = files.members.get(location)
        if (member === undefined) throw scanErrors.external_data_missing(`'${location}'`)
        return member.readRange(offset, length)
      },
    })
    return { model, report, close }
  } catch (error) {
    close()
    throw error
  }
}

interface OpenFiles {
  readonly model: PlainFile
  readonly members: ReadonlyMap<string, PlainFile>
}

/** All files stay open from the scan to the decoding, so that both see the same bytes. */
function openFiles(bundle: Bundle): OpenFiles {
  const opened: PlainFile[] = []
  const open = ({ path, offset, bytes }: BundleFile): PlainFile => {
    const file = openPlainFile(path)
    opened.push(file)
    return partOf(file, offset, bytes)
  }
  try {
    const members = new Map<string, PlainFile>()
    for (const [name, file] of bundle.members) members.set(name, open(file))
    return { model: open(bundle.model), members }
  } catch (error) {
    for (const file of opened) file.close()
    throw error
  }
}
