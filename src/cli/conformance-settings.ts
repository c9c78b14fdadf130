import type { Settings } from '../ops/context.ts'

/**
 * What the published OASIS cases presuppose of a server: the users and devices whose credentials they send, Interop, and a group that gives fresh keys. Everybody knows these passwords.
 */
export const CONFORMANCE: Partial<Settings> = {
  interop: true,
  freshGroups: ['default'],
  accounts: [
    { name: 'administrator', password: 'password' },
    {
      name: 'device-1',
      password: 'secret',
      device: {
        deviceSerialNumber: 'serNum123456',
        deviceIdentifier: 'devID2233',
        networkIdentifier: 'netID9000',
        machineIdentifier: 'machineID1',
        mediaIdentifier: 'mediaID313',
      },
    },
    {
      name: 'device-2',
      password: 'passwd',
      device: {
        deviceSerialNumber: 'serNum101010',
        deviceIdentifier: 'devID4444',
        networkIdentifier: 'netID9',
        machineIdentifier: 'machineID1111',
        mediaIdentifier: 'mediaID0000',
      },
    },
  ],
}
