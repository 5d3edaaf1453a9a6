/** The page's fixed elements, which `page.html` names. */

export const element = (id: string) => document.getElementById(id)!;
