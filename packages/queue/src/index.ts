export {
  type Doorbell,
  type Listener,
  type ListenOptions,
  RING_PRIORITIES,
  type RingHandler,
  type RingOptions,
  type RingPriority,
  type StageRing,
} from './doorbell.js'
export { queueErrors } from './errors.js'
export { openDoorbell, type OpenDoorbellOptions } from './open-doorbell.js'
