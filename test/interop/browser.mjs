// A real Chromium that looks at kmipd's console, and everything it says that it should not.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export async function openBrowser() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find(file => existsSync(file))
  if (executablePath === undefined) throw new Error('there is no Chromium; install it, or name it in CHROMIUM')
  // Chromium's own sandbox does not work for root, as whom CI runs.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}

/** A page of its own with nothing in its storage. `trouble` gathers what went wrong in it, whatever the script looks at. */
export async function openPage(browser, origin, { colorScheme = 'light', width = 1280, height = 900 } = {}) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height }, reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const trouble = []
  page.on('pageerror', error => trouble.push(`error: ${error.message}`))
  page.on('console', message => {
    // Chromium reports each answer that is no success so; those are asked for.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) trouble.push(`console: ${message.text()}`)
  })
  page.on('request', request => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !url.startsWith(`blob:${origin}/`)) trouble.push(`request to ${url}`)
  })
  page.on('dialog', dialog => {
    trouble.push(`dialog: ${dialog.message()}`)
    dialog.dismiss()
  })
  return { page, context, trouble }
}

/** What axe finds on the page as it is, a line for each rule. The page's policy forbids scripts, so it is put in from outside. */
export async function violations(context, page) {
  const session = await context.newCDPSession(page)
  await session.send('Runtime.evaluate', { expression: readFileSync(AXE, 'utf8') })
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    expression: 'axe.run().then(found => found.violations.map(({ id, nodes }) => [id, ...nodes.map(node => node.html)].join(" ")))',
    awaitPromise: true,
    returnByValue: true,
  })
  await session.detach()
  if (exceptionDetails) throw new Error(`axe does not run: ${exceptionDetails.text}`)
  return result.value
}

/** Pixels by which the page is wider than its window. */
export const overflow = page => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

export async function shoot(page, folder, name) {
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true, timeout: 60_000 })
}
