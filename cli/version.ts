/** Version of the installed package. */
export const version = (): string => (require('olap-connect/package.json') as { version: string }).version
