export { readLater, readNow } from './reading.js'
export { zipEntries, type ZipEntry } from './zip-entries.js'
export { ZipFault, type ZipFaultKind } from './zip-fault.js'
export { type ZipLimits, type ZipRecord, zipRecords } from './zip-records.js'
