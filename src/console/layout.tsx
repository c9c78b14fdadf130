import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Empty } from './controls.tsx'
import { duration } from './format.ts'
import { Page, useNow } from './page.tsx'
import { AccessPage } from './pages/access.tsx'
import { AuditPage } from './pages/audit.tsx'
import { KesPage } from './pages/kes.tsx'
import { ObjectPage } from './pages/object.tsx'
import { ObjectsPage } from './pages/objects.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { PolicyPage } from './pages/policy.tsx'
import { RolePage } from './pages/role.tsx'
import { ScopePage } from './pages/scope.tsx'
import { ScopesPage } from './pages/scopes.tsx'
import { SettingsPage } from './pages/settings.tsx'
import { TracePage } from './pages/trace.tsx'
import { hrefOf, type PageName, type Place, placeOf } from './router.ts'
import { ENDED, useSession } from './session.ts'
import { Logo } from './sign-in.tsx'
import { useAction } from './use-answer.ts'

const LINKS: readonly (readonly [page: PageName, title: string])[] = [
  ['overview', 'Overview'],
  ['scopes', 'Scopes'],
  ['kes', 'KES'],
  ['access', 'Access'],
  ['audit', 'Audit'],
  ['settings', 'Settings'],
]

const PAGES: Readonly<Record<PageName, (place: Place) => JSX.Element>> = {
  overview: () => <OverviewPage />,
  scopes: () => <ScopesPage />,
  scope: ({ names }) => <ScopePage scope={names.scope!} />,
  role: ({ names }) => <RolePage scope={names.scope!} role={names.role!} />,
  objects: ({ names, query }) => <ObjectsPage scope={names.scope!} query={query} />,
  object: ({ names }) => <ObjectPage scope={names.scope!} id={names.object!} />,
  kes: () => <KesPage />,
  trace: ({ names }) => <TracePage scope={names.scope!} />,
  access: () => <AccessPage />,
  policy: ({ names }) => <PolicyPage name={names.policy!} />,
  audit: ({ query }) => <AuditPage query={query} />,
  settings: () => <SettingsPage />,
}

/** Where one is among the links: everything below a scope belongs to Scopes. */
const SECTIONS: Readonly<Partial<Record<PageName, PageName>>> = {
  ...{ scope: 'scopes', role: 'scopes', objects: 'scopes', object: 'scopes', trace: 'scopes' },
  policy: 'access',
}
const sectionOf = (page: PageName): PageName => SECTIONS[page] ?? page

/** Everything behind the sign-in: links, who one is, and the screen that the address names. */
export function Layout(): JSX.Element {
  const { mount, mounts, choose, signOut } = useSession()
  const place = usePlace()
  const section = place && sectionOf(place.page)
  const main = useRef<HTMLElement>(null)
  return (
    <div class="layout">
      {/* A button and no link: the address behind # names the screen. */}
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <a class="brand" href={hrefOf('overview')}>
          <Logo /> kmipd
        </a>
        <nav aria-label="Console">
          <ul>
            {LINKS.map(([page, title]) => (
              <li key={page}>
                <a href={hrefOf(page)} {...(page === section && { 'aria-current': 'page' as const })}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="who">
          {mounts.length > 1 && (
            <div class="engine">
              <label for="engine">Engine</label>
              <select id="engine" value={mount} onChange={event => choose(event.currentTarget.value)}>
                {mounts.map(name => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </div>
          )}
          <Holder />
          <button type="button" onClick={() => signOut()}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1} key={`${mount} ${place ? hrefOf(place.page, place.names) : ''}`}>
        {place ? PAGES[place.page](place) : <NotFound />}
      </main>
    </div>
  )
}

/** Whose token it is, and how long it lasts; when it is over, one is asked to sign in. */
function Holder(): JSX.Element {
  const { holder, signOut } = useSession()
  const { isBusy, run } = useAction()
  const end = useMemo(() => (holder.ttl > 0 ? Date.now() + holder.ttl * 1000 : undefined), [holder])
  const renew = (): void =>
    run(async ({ api, refresh }) => {
      await api.write('auth/token/renew-self')
      refresh()
    })
  const now = useNow(1000)
  const left = end === undefined ? undefined : Math.ceil((end - now) / 1000)
  useEffect(() => {
    if (left !== undefined && left <= 0) signOut(ENDED)
  }, [left, signOut])
  return (
    <p class="holder" title={`Policies: ${holder.policies.join(', ')}`}>
      <span>{holder.display_name}</span>
      {left !== undefined && <span class={left < 120 ? 'tag warn' : 'muted'}>{duration(Math.max(left, 0))} left</span>}
      {left !== undefined && left < 120 && holder.renewable && (
        <button type="button" class="plain" disabled={isBusy} onClick={renew}>
          Renew
        </button>
      )}
    </p>
  )
}

const NotFound = (): JSX.Element => (
  <Page title="Not found">
    <Empty title="There is no such page in the console.">
      <a href={hrefOf('overview')}>To the overview</a>
    </Empty>
  </Page>
)

const screenOf = (hash: string): string => hash.split('?')[0] ?? ''

function usePlace(): Place | undefined {
  const [hash, setHash] = useState(location.hash)
  const screen = useRef(screenOf(hash))
  useEffect(() => {
    const changed = (): void => {
      setHash(location.hash)
      // Filters change what stands behind the question mark, and must not take the focus away from themselves.
      if (screenOf(location.hash) === screen.current) return
      screen.current = screenOf(location.hash)
      window.scrollTo(0, 0)
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
    }
    window.addEventListener('hashchange', changed)
    return () => window.removeEventListener('hashchange', changed)
  }, [])
  return placeOf(hash)
}
