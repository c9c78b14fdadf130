import type { JSX } from 'preact'
import { Page } from '../page.tsx'
import { Policies } from './policies.tsx'
import { Tokens } from './tokens.tsx'

/** Who may administer what. */
export const AccessPage = (): JSX.Element => (
  <Page title="Access">
    <Policies />
    <Tokens />
  </Page>
)
