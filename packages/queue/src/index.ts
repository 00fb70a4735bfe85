export {
  type Doorbell,
  type Listener,
  type ListenOptions,
  type OpenDoorbellOptions,
  RING_PRIORITIES,
  type RingDevice,
  type RingHandler,
  type RingOptions,
  type RingPriority,
  type StageRing,
} from './doorbell.js'
export { queueErrors } from './errors.js'
export { openDoorbell } from './open-doorbell.js'
