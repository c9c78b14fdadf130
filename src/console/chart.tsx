import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { area, highest, line, nearest, type Series, ticks, xOf, yOf } from './chart-shape.ts'
import { clock } from './format.ts'

interface ChartProps {
  readonly title: string
  /** Milliseconds since 1970 of each value. */
  readonly times: readonly number[]
  /** The first is drawn with what lies under it. */
  readonly series: readonly Series[]
  readonly write: (value: number) => string
}

const BOX = { width: 600, height: 150 }

const last = (values: readonly (number | undefined)[]): number | undefined => values.findLast(value => value !== undefined)

/** Values over time. A pointer shows those of one moment; who cannot see it is told the newest and the highest. */
export function Chart({ title, times, series, write }: ChartProps): JSX.Element {
  const [at, setAt] = useState<number>()
  const steps = ticks(highest(series))
  const top = steps.at(-1)!
  const shown = at === undefined || at >= times.length ? undefined : at
  const said = series.map(({ name, values }) => {
    const newest = last(values)
    return newest === undefined ? `${name}: nothing yet` : `${name}: now ${write(newest)}, at most ${write(highest([{ name, values }]))}`
  })
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {series.map(({ name, values }, i) => {
            const value = shown === undefined ? last(values) : values[shown]
            return (
              <span key={name}>
                <span class={`swatch series-${i}`} />
                {name} <strong>{value === undefined ? '–' : write(value)}</strong>
              </span>
            )
          })}
        </span>
      </figcaption>
      <div class="plot">
        <div class="plot-ticks" aria-hidden="true">
          {steps.toReversed().map(step => (
            <span key={step}>{write(step)}</span>
          ))}
        </div>
        <svg
          role="img"
          aria-label={`${title}. ${said.join('. ')}.`}
          viewBox={`0 0 ${BOX.width} ${BOX.height}`}
          preserveAspectRatio="none"
          onPointerMove={event => {
            const { left, width } = event.currentTarget.getBoundingClientRect()
            setAt(nearest((event.clientX - left) / width, times.length))
          }}
          onPointerLeave={() => setAt(undefined)}
        >
          {steps.map(step => (
            <line key={step} class="grid-line" x1="0" x2={BOX.width} y1={yOf(step, top, BOX)} y2={yOf(step, top, BOX)} />
          ))}
          {series[0] && <path class="area series-0" d={area(series[0].values, top, BOX)} />}
          {series.map(({ name, values }, i) => (
            <path key={name} class={`line series-${i}`} d={line(values, top, BOX)} />
          ))}
          {shown !== undefined && (
            <line class="cursor" x1={xOf(shown, times.length, BOX)} x2={xOf(shown, times.length, BOX)} y1="0" y2={BOX.height} />
          )}
        </svg>
      </div>
      <div class="plot-times" aria-hidden="true">
        <span>{times.length > 0 ? clock(times[0]!) : ''}</span>
        {shown !== undefined && <strong>{clock(times[shown]!)}</strong>}
        <span>{times.length > 0 ? clock(times.at(-1)!) : ''}</span>
      </div>
    </figure>
  )
}
