/** The paths of icons that the first picture of a log does not need, in a box of 24 by 24. */

export const UP = "M12 19V5m-6 6 6-6 6 6";
export const ERROR = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 9l6 6M15 9l-6 6";
export const NOTICE = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v6M12 7.5v.5";
export const SIDE = "M4 5h7v14H4zM13 5h7v14h-7z";
export const MERGED = "M4 6h16M4 10h10M4 14h16M4 18h10";
export const TOGETHER = "M7 4v16m-3-3 3 3 3-3M17 4v16m-3-3 3 3 3-3";
