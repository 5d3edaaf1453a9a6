/** Where the list is in which a log is: of all logs, or of those that a prefix's token opens. Pure. */

/**
 * The address of the list, beside that of a log's page; null: nothing that is known here opens one. `name`: that of the log; `token`: the one
 * that is not in the address.
 */
export function listOf(pathname: string, name: string, token: string | null): string | null {
  const [, view, path] = /^(.*?\/view)\/?(.*)$/.exec(pathname) ?? [];
  if (view === undefined || path === undefined) return null;
  const inHeader = token !== null && path === name;
  const opens = inHeader ? token : path.split("/", 1)[0]!;
  if (!opens || /^[\w-]{32}(\.\d+)?$/.test(opens)) return null; // it is of this log alone
  const folder = opens.startsWith("p~") ? name.replace(/[^/]*$/, "") : "";
  return `${view}/${inHeader ? "" : `${opens}/`}${folder}`;
}
