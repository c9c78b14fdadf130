import type { Settings } from '../ops/context.ts'
import { WEAK, type Weak } from '../ops/weak.ts'

/**
 * What the published OASIS cases presuppose of a server: the users and devices whose credentials they send, Interop, the 3.0 draft, weak
 * cryptography, and a group that gives fresh keys. Everybody knows these passwords.
 */
export const CONFORMANCE: Partial<Settings> = {
  interop: true,
  experimental: true,
  freshGroups: ['default'],
  // Cases are as old as 2010, and have keys of 1024 bits.
  allowWeak: Object.keys(WEAK) as Weak[],
  accounts: [
    { name: 'administrator', password: 'password', isAdministrator: true },
    // Who registers itself by a password that is good once. TC-CREG
    { name: 'one-time-user', password: 'one-time-password' },
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
