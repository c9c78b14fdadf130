/** All that a store keeps of one record. */
export interface StoredRecord {
  readonly partition: string
  readonly id: string
  readonly revision: number
  readonly body: Buffer
  /** Blinded terms that are no claims. */
  readonly terms: readonly Buffer[]
  readonly claims: readonly Buffer[]
}
