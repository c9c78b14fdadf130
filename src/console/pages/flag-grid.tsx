import type { JSX } from 'preact'
import { useId } from 'preact/hooks'
import { Check } from '../controls.tsx'
import { type Flags, GROUPS, type Grant, titleOf, USUAL, ungrouped } from '../role-flags.ts'

const GRANTS: readonly (readonly [grant: Grant, title: string])[] = [
  ['all', 'Everything'],
  ['chosen', 'Chosen operations'],
  ['none', 'Nothing'],
]

interface FlagGridProps {
  readonly flags: Flags
  readonly onFlags: (flags: Flags) => void
}

/** The operations that a role allows, in groups. */
export function FlagGrid({ flags, onFlags }: FlagGridProps): JSX.Element {
  const name = useId()
  const others = ungrouped(flags)
  const groups = others.length === 0 ? GROUPS : [...GROUPS, { title: 'More', flags: others }]
  const put = (names: readonly string[], isIn: boolean): void => {
    const chosen = new Set(flags.chosen)
    for (const flag of names)
      if (isIn) chosen.add(flag)
      else chosen.delete(flag)
    onFlags({ grant: 'chosen', chosen })
  }
  return (
    <fieldset class="rights">
      <legend>It may use</legend>
      <div class="radios">
        {GRANTS.map(([grant, title]) => (
          <label key={grant} class="check">
            <input type="radio" name={name} checked={flags.grant === grant} onChange={() => onFlags({ ...flags, grant })} />
            <span>{title}</span>
          </label>
        ))}
        {flags.grant === 'chosen' && (
          <button type="button" class="plain" onClick={() => onFlags({ grant: 'chosen', chosen: new Set(USUAL) })}>
            What clients usually need
          </button>
        )}
      </div>
      {flags.grant === 'chosen' && (
        <div class="flag-grid">
          {groups.map(group => (
            <Group key={group.title} {...group} chosen={flags.chosen} onPut={put} />
          ))}
        </div>
      )}
    </fieldset>
  )
}

interface GroupProps {
  readonly title: string
  readonly flags: readonly string[]
  readonly chosen: ReadonlySet<string>
  readonly onPut: (flags: readonly string[], isIn: boolean) => void
}

function Group({ title, flags, chosen, onPut }: GroupProps): JSX.Element {
  const isWhole = flags.every(flag => chosen.has(flag))
  return (
    <fieldset>
      <legend>
        {title}
        <button
          type="button"
          class="plain"
          aria-label={isWhole ? `None of ${title}` : `All of ${title}`}
          onClick={() => onPut(flags, !isWhole)}
        >
          {isWhole ? 'none' : 'all'}
        </button>
      </legend>
      {flags.map(flag => (
        <Check key={flag} label={titleOf(flag)} checked={chosen.has(flag)} onChecked={isIn => onPut([flag], isIn)} />
      ))}
    </fieldset>
  )
}
