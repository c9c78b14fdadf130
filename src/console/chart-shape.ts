/** The geometry of a plot, without the page. Values that are not known are gaps. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | undefined)[]
}

export interface Box {
  readonly width: number
  readonly height: number
}

/** Round steps up to a value at least as large as `most`, the last of which is the top of the plot. At least two. */
export function ticks(most: number, wanted = 4): number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0, 1]
  const raw = most / wanted
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = ([1, 2, 2.5, 5].find(factor => factor * power >= raw * (1 - 1e-9)) ?? 10) * power
  const n = Math.ceil(most / step - 1e-9)
  return Array.from({ length: n + 1 }, (_, i) => Number((i * step).toPrecision(12)))
}

/** The largest known value; 0 if there is none. */
export const highest = (series: readonly Series[]): number =>
  series.reduce((most, { values }) => values.reduce<number>((max, value) => Math.max(max, value ?? 0), most), 0)

/** Where the i-th of n values stands, and how high a value is. */
export const xOf = (i: number, n: number, { width }: Box): number => (n < 2 ? width : (i / (n - 1)) * width)
export const yOf = (value: number, top: number, { height }: Box): number => height - (Math.min(value, top) / top) * height

const short = (n: number): string => String(Number(n.toFixed(1)))

/** An SVG path along the values; a gap begins a new piece. */
export function line(values: readonly (number | undefined)[], top: number, box: Box): string {
  let isDrawing = false
  let path = ''
  for (const [i, value] of values.entries()) {
    if (value === undefined) {
      isDrawing = false
      continue
    }
    path += `${isDrawing ? 'L' : 'M'}${short(xOf(i, values.length, box))} ${short(yOf(value, top, box))}`
    isDrawing = true
  }
  return path
}

/** The same, closed down to the axis: what lies under the line. */
export function area(values: readonly (number | undefined)[], top: number, box: Box): string {
  let path = ''
  for (let i = 0; i < values.length; i++) {
    if (values[i] === undefined) continue
    const from = i
    while (i + 1 < values.length && values[i + 1] !== undefined) i++
    const piece = values
      .slice(from, i + 1)
      .map((value, j) => `L${short(xOf(from + j, values.length, box))} ${short(yOf(value!, top, box))}`)
    path += `M${short(xOf(from, values.length, box))} ${box.height}${piece.join('')}L${short(xOf(i, values.length, box))} ${box.height}Z`
  }
  return path
}

/** Which of n values stands nearest to a place across the plot. @param x 0 to 1 */
export const nearest = (x: number, n: number): number => Math.max(0, Math.min(n - 1, Math.round(x * (n - 1))))
