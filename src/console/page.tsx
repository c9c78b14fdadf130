import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Trouble } from './controls.tsx'
import { dateTime, relative, urgency } from './format.ts'
import type { Loaded } from './use-answer.ts'

interface PageProps {
  readonly title: string
  /** What the page hangs below: titles and addresses, outermost first. */
  readonly trail?: readonly (readonly [title: string, href: string])[]
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}

/** A screen: its name in the window's title, and the focus on its heading when one comes here by a link. */
export function Page({ title, trail = [], actions, children }: PageProps): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · kmipd`
    if (document.activeElement === document.body || document.activeElement === null) heading.current?.focus()
  }, [title])
  return (
    <>
      <div class="page-head">
        {trail.length > 0 && (
          <nav aria-label="Breadcrumb">
            <ol class="trail">
              {trail.map(([name, href]) => (
                <li key={href}>
                  <a href={href}>{name}</a>
                </li>
              ))}
            </ol>
          </nav>
        )}
        <div class="page-title">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {actions !== undefined && <div class="actions">{actions}</div>}
        </div>
      </div>
      {children}
    </>
  )
}

/** What comes of a question to the server: trouble, the wait, or the answer. */
export function Shown<T>({ of, children }: { readonly of: Loaded<T>; readonly children: (value: T) => ComponentChildren }): JSX.Element {
  const { value, trouble, isLoading } = of
  return (
    <>
      <Trouble text={trouble} />
      {trouble !== undefined && value === undefined && (
        <button type="button" onClick={of.reload}>
          Try again
        </button>
      )}
      {value === undefined && isLoading && (
        <p class="loading" role="status">
          Loading …
        </p>
      )}
      {value !== undefined && children(value)}
    </>
  )
}

interface TableProps {
  readonly label: string
  readonly heads: readonly string[]
  readonly children: ComponentChildren
}

/** A table that scrolls within itself where it must; on narrow screens each row is a card, and each cell says what it is. */
export function Table({ label, heads, children }: TableProps): JSX.Element {
  const body = useRef<HTMLTableSectionElement>(null)
  useLayoutEffect(() => {
    for (const row of body.current?.rows ?? []) for (const [i, cell] of [...row.cells].entries()) cell.dataset.label = heads[i] ?? ''
  })
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {heads.map(head => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>{children}</tbody>
      </table>
    </section>
  )
}

/** To the page after this one. */
export const More = ({ href, children }: { readonly href: string; readonly children: string }): JSX.Element => (
  <p class="more">
    <a class="button" href={href}>
      {children}
    </a>
  </p>
)

/** Go to an address, or, when one is there already, look again. */
export function search(href: string, again: () => void): void {
  if (location.hash === href) again()
  else location.hash = href
}

/** The time now, anew every so often while it is shown. */
export function useNow(everyMs = 10_000): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

/** A time as it is from here, with the date behind it. @param ms since 1970 */
export function When({ ms }: { readonly ms: number }): JSX.Element {
  const now = useNow()
  return (
    <time dateTime={new Date(ms).toISOString()} title={dateTime(ms)}>
      {relative(ms, now)}
    </time>
  )
}

const ENDINGS = { over: ['bad', 'ended'], soon: ['warn', 'ends soon'], fine: ['', ''] } as const

/** When something ends, marked when that is near. */
export function Ending({ ms }: { readonly ms: number }): JSX.Element {
  const [tone, word] = ENDINGS[urgency(ms, useNow())]
  return (
    <>
      <When ms={ms} /> <span class="muted">{dateTime(ms).slice(0, 10)}</span> {word !== '' && <span class={`tag ${tone}`}>{word}</span>}
    </>
  )
}

/** A name and what it is, in a list of facts. */
export const Fact = ({ name, children }: { readonly name: string; readonly children: ComponentChildren }): JSX.Element => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)
