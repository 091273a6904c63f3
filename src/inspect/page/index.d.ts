/**
 * The inspector page's script and style; `npm run build` makes index.js beside what is compiled,
 * and a clone has none.
 */
export declare const script: string
export declare const style: string
