// The embedded PostgreSQL: real server programs on a data folder of ours, on 127.0.0.1 only, for the
// length of this process. Killed with SIGKILL it takes the server along, and the next start recovers.
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'

import { serverAccount } from './embedded/account.js'
import { findBinaries } from './embedded/binaries.js'
import { openCluster } from './embedded/cluster.js'
import { leaveFolder, takeFolder } from './embedded/owner.js'
import {
  startPostmaster,
  stopPostmaster,
  stopStalePostmaster,
  urlOf,
} from './embedded/postmaster.js'

export interface EmbeddedPostgresOptions {
  /** Holds the cluster, its password and its log; made when missing. */
  readonly dataDir: string
  /** Default: a free one, another at every start. */
  readonly port?: number
  /** Default 100. */
  readonly maxConnections?: number
  /** False gives up durability for speed: for tests (default true). */
  readonly durable?: boolean
}

export interface EmbeddedPostgres {
  /** Connection string of the database `pare`. */
  readonly url: string
  readonly port: number
  /** Connection string of another database of the server. */
  readonly urlOf: (database: string) => string
  /** Shuts down within 10 s; open connections are cut. Safe to call twice. */
  readonly stop: () => Promise<void>
}

export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 })
  const dataDir = await realpath(options.dataDir)
  await takeFolder(dataDir)
  try {
    return await startIn(dataDir, options)
  } catch (error) {
    await leaveFolder(dataDir)
    throw error
  }
}

async function startIn(
  dataDir: string,
  { port, maxConnections = 100, durable = true }: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const account = await serverAccount()
  const binaries = await findBinaries({ account })
  await stopStalePostmaster(join(dataDir, 'cluster'))
  const cluster = await openCluster({ dataDir, binaries, account, durable })
  const postmaster = await startPostmaster({
    postgres: binaries.postgres,
    cluster,
    account,
    logFile: join(dataDir, 'postgres.log'),
    port,
    settings: { ...SETTINGS, ...(durable ? {} : FRAIL), max_connections: String(maxConnections) },
  })
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    await stopPostmaster(postmaster.process, cluster.dir)
    await leaveFolder(dataDir)
  }
  return {
    url: urlOf(cluster, postmaster.port),
    port: postmaster.port,
    urlOf: (database) => urlOf(cluster, postmaster.port, database),
    stop: () => (stopped ??= stop()),
  }
}

// Small: the host also runs the engines.
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  max_worker_processes: '4',
  log_min_messages: 'warning',
  log_line_prefix: '%m [%p] ',
  log_timezone: 'UTC',
  timezone: 'UTC',
}

const FRAIL = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
