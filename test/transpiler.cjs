// How the tests' loader turns TypeScript into JavaScript: by esbuild, since each of many processes does it anew and the compiler takes seconds.
const { transformSync } = require('esbuild')

exports.create = () => ({
  transpile(text, { fileName }) {
    const { code, map } = transformSync(text, {
      loader: fileName.endsWith('x') ? 'tsx' : 'ts',
      format: 'esm',
      target: 'node20',
      sourcemap: 'external',
      sourcefile: fileName,
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    })
    return { outputText: code, sourceMapText: map }
  },
})
