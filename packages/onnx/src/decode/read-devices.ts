// NodeDeviceConfigurationProto and DeviceConfigurationProto: kept, never interpreted.
import type { DeviceConfiguration, NodeDeviceConfiguration, ShardingSpec } from '@pare/graph'

import type { WireReader } from '../wire/reader.js'

export function readDeviceConfiguration(reader: WireReader): DeviceConfiguration {
  let name = ''
  let numDevices = 0
  const devices: string[] = []
  while (reader.next()) {
    if (reader.field === 1) name = reader.text()
    else if (reader.field === 2) numDevices = reader.int32()
    else if (reader.field === 3) devices.push(reader.text())
    else reader.unknown()
  }
  return { name, numDevices, devices }
}

export function readNodeDeviceConfiguration(reader: WireReader): NodeDeviceConfiguration {
  let configurationId = ''
  let pipelineStage: number | undefined
  const shardingSpecs: ShardingSpec[] = []
  while (reader.next()) {
    if (reader.field === 1) configurationId = reader.text()
    else if (reader.field === 2) {
      shardingSpecs.push(reader.message('sharding_spec', shardingSpecs.length, readShardingSpec))
    } else if (reader.field === 3) pipelineStage = reader.int32()
    else reader.unknown()
  }
  return {
    configurationId,
    shardingSpecs,
    ...(pipelineStage === undefined ? {} : { pipelineStage }),
  }
}

type DeviceGroup = ShardingSpec['deviceGroups'][number]
type ShardedDim = ShardingSpec['shardedDims'][number]
type SimpleSharding = ShardedDim['simpleShardings'][number]

function readShardingSpec(reader: WireReader): ShardingSpec {
  let tensorName = ''
  const devices: bigint[] = []
  const deviceGroups: DeviceGroup[] = []
  const shardedDims: ShardedDim[] = []
  while (reader.next()) {
    if (reader.field === 1) tensorName = reader.text()
    else if (reader.field === 2) reader.int64s(devices)
    else if (reader.field === 3) {
      const index = deviceGroups.length
      deviceGroups.push(reader.message('index_to_device_group_map', index, readDeviceGroup))
    } else if (reader.field === 4) {
      shardedDims.push(reader.message('sharded_dim', shardedDims.length, readShardedDim))
    } else reader.unknown()
  }
  return { tensorName, devices, deviceGroups, shardedDims }
}

function readDeviceGroup(reader: WireReader): DeviceGroup {
  let key = 0n
  const values: bigint[] = []
  while (reader.next()) {
    if (reader.field === 1) key = reader.int64()
    else if (reader.field === 2) reader.int64s(values)
    else reader.unknown()
  }
  return { key, values }
}

function readShardedDim(reader: WireReader): ShardedDim {
  let axis = 0n
  const simpleShardings: SimpleSharding[] = []
  while (reader.next()) {
    if (reader.field === 1) axis = reader.int64()
    else if (reader.field === 2) {
      const index = simpleShardings.length
      simpleShardings.push(reader.message('simple_sharding', index, readSimpleSharding))
    } else reader.unknown()
  }
  return { axis, simpleShardings }
}

function readSimpleSharding(reader: WireReader): SimpleSharding {
  let dim: bigint | string | undefined
  let numShards = 0n
  while (reader.next()) {
    if (reader.field === 1) dim = reader.int64()
    else if (reader.field === 2) dim = reader.text()
    else if (reader.field === 3) numShards = reader.int64()
    else reader.unknown()
  }
  return { numShards, ...(dim === undefined ? {} : { dim }) }
}
