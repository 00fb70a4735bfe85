import type { Compute } from '@pare/calibration'
import type { SampleSource } from '@pare/datasets'

/** Sample data, and what to run models on it with: what algorithms that look at data are given. */
export interface DataSource extends SampleSource, Compute {}
