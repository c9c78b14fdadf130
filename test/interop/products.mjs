import * as databases from './databases.mjs'
import * as systems from './systems.mjs'

/** Products by name, each with its sequence. */
export const PRODUCTS = [
  ['MySQL keyring_okv', databases.keyringOkv],
  ['MongoDB Enterprise', databases.mongodb(12)],
  ['MongoDB Enterprise, legacy protocol', databases.mongodb(10)],
  ['Percona Server for MongoDB', databases.perconaMongodb],
  ['Percona Server for MySQL', databases.perconaKeyring],
  ['Percona kmipclient', databases.perconaClient],
  ['pg_tde', databases.pgTde],
  ['Ceph radosgw', systems.radosgw],
  ['Rook', systems.rook],
  ['ceph-csi', systems.cephCsi],
  ['ScyllaDB', databases.scylladb],
  ['VMware vSphere', systems.vsphere],
  ['Synology DSM', systems.synology],
  ['FortiGate', systems.fortigate],
  ['Veeam, TLS 1.2', systems.veeam('TLSv1.2')],
  ['Veeam, TLS 1.3', systems.veeam('TLSv1.3')],
  ['storage array', systems.storageArray],
  ['TrueNAS', systems.trueNas],
  ['NetApp ONTAP', systems.ontap],
  ['Krill and Cascade', systems.krill],
  ['EDB Postgres', databases.edb],
]
