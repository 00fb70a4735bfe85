import type { ParameterValues } from '../language/parameter-value.js'
import type { CALL_TABLE, REQUEST_TABLE } from './request-table.js'

/** A compression request with every default in place; names as on the wire. */
export type JobRequest = ParameterValues<typeof REQUEST_TABLE>

/** How the request is to be treated. */
export type JobCall = ParameterValues<typeof CALL_TABLE>
