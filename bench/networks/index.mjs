// The networks of bench/networks.mjs, in the order of its tables.
import { fashion } from './fashion.mjs'

export const NETWORKS = [...fashion]
