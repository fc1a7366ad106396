// Projects, so that one kind can be run alone. Those that start services run one file at a time (`npm run test:services`): each
// keeps two cores busy by itself.
const base = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // published as ES modules only
  transformIgnorePatterns: ['/node_modules/(?!(@marcbachmann/cel-js|zstddec)/)', '/dist/'],
  // jest cannot require .mjs; the package ships the source of the same file
  moduleNameMapper: { '^zstddec$': '<rootDir>/node_modules/zstddec/src/zstddec.ts' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.connect/'],
}
const project = (name, extra = {}) => ({
  ...base,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  ...extra,
})
module.exports = {
  testTimeout: 120_000,
  projects: [
    project('unit'),
    project('conformance'),
    project('golden'),
    project('pipelines'),
    project('integration'),
    project('chaos'),
  ],
}
