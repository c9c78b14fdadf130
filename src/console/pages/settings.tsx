import type { JSX } from 'preact'
import { Page } from '../page.tsx'
import { Authorities } from './authorities.tsx'
import { ConfigurationForm } from './configuration-form.tsx'
import { Engines } from './engines.tsx'
import { Listeners } from './listeners.tsx'

/** How the engine is set up: configuration, listeners, CAs, and the engines beside it. */
export const SettingsPage = (): JSX.Element => (
  <Page title="Settings">
    <ConfigurationForm />
    <Listeners />
    <Authorities />
    <Engines />
  </Page>
)
