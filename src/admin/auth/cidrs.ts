import { BlockList, isIP } from 'node:net'

/** `::ffff:10.0.0.1` is 10.0.0.1 on a socket that takes both families. */
const plainAddress = (address: string): string => (/^::ffff:[\d.]+$/i.test(address) ? address.slice(7) : address)

const FAMILIES: { readonly [version: number]: 'ipv4' | 'ipv6' } = { 4: 'ipv4', 6: 'ipv6' }
const familyOf = (address: string): 'ipv4' | 'ipv6' | undefined => FAMILIES[isIP(address)]

/** A block such as `10.0.0.0/8`, or one address, in its parts; nothing if it is neither. */
export function cidrOf(text: string): { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', digits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = familyOf(address)
  if (family === undefined) return undefined
  const most = family === 'ipv4' ? 32 : 128
  const bits = digits === undefined ? most : Number(digits)
  return bits <= most ? { address, bits, family } : undefined
}

/** Whether each of some blocks lies in one of others; of no others, every block does. */
export const cidrsWithin = (inner: readonly string[], outer: readonly string[]): boolean =>
  outer.length === 0 || inner.every(block => outer.some(around => isWithin(block, around)))

function isWithin(inner: string, outer: string): boolean {
  const [block, around] = [cidrOf(inner), cidrOf(outer)]
  return block !== undefined && around !== undefined && block.bits >= around.bits && cidrsHold([outer], block.address)
}

/** Whether an address is in one of the blocks; of no blocks, every address is. */
export function cidrsHold(blocks: readonly string[], remoteAddress: string): boolean {
  if (blocks.length === 0) return true
  const address = plainAddress(remoteAddress)
  const family = familyOf(address)
  if (family === undefined) return false
  const list = new BlockList()
  for (const block of blocks) {
    const cidr = cidrOf(block)
    if (cidr) list.addSubnet(cidr.address, cidr.bits, cidr.family)
  }
  return list.check(address, family)
}
