import { addOffsetsToTxn } from './add_offsets_to_txn'
import { addPartitionsToTxn } from './add_partitions_to_txn'
import { alterConfigs, incrementalAlterConfigs } from './alter_configs'
import type { Api } from './api'
import { apiVersions } from './api_versions'
import { createPartitions } from './create_partitions'
import { createTopics } from './create_topics'
import { deleteGroups } from './delete_groups'
import { deleteRecords } from './delete_records'
import { deleteTopics } from './delete_topics'
import { describeCluster } from './describe_cluster'
import { describeConfigs } from './describe_configs'
import { describeGroups } from './describe_groups'
import { endTxn } from './end_txn'
import { fetch } from './fetch'
import { findCoordinator } from './find_coordinator'
import { heartbeat } from './heartbeat'
import { initProducerId } from './init_producer_id'
import { joinGroup } from './join_group'
import { leaveGroup } from './leave_group'
import { listGroups } from './list_groups'
import { listOffsets } from './list_offsets'
import { metadata } from './metadata'
import { offsetCommit } from './offset_commit'
import { offsetDelete } from './offset_delete'
import { offsetFetch } from './offset_fetch'
import { produce } from './produce'
import { syncGroup } from './sync_group'
import { txnOffsetCommit } from './txn_offset_commit'

const listed: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  txnOffsetCommit,
  describeConfigs,
  alterConfigs,
  createPartitions,
  deleteGroups,
  incrementalAlterConfigs,
  offsetDelete,
  describeCluster,
]

/** Every API this broker serves: the table that ApiVersions answers with and that requests are looked up in. */
export const apis: readonly Api[] = [...listed, apiVersions(listed)]
