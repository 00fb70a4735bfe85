// Runs in a thread of an engine process. onnxruntime holds the main thread's event loop for as long
// as it likes, so the main thread may never learn that its worker died; this thread always does.
import { workerData } from 'node:worker_threads'

const POLL_MS = 250

const { parentPid } = workerData as { readonly parentPid: number }
const clock = new Int32Array(new SharedArrayBuffer(4))

while (process.ppid === parentPid) Atomics.wait(clock, 0, 0, POLL_MS)
process.kill(process.pid, 'SIGKILL')
