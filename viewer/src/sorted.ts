/** Lists in order. Pure. */

/** The place of the first item of which this is true, as it is of all behind it; the length of the list, if it is true of none. */
export function first<T>(list: readonly T[], isTrue: (one: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
