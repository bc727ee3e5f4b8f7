// How far a face recogniser knows people in a style: between what was measured, in straight lines.

// measured: [{ likeness, median, p95 }], likeness rising; null where there is nothing measured.
export function identityAt(measured, likeness) {
  if (!measured?.length) return null;
  const above = measured.find((one) => one.likeness >= likeness) ?? measured.at(-1);
  const below = measured.findLast((one) => one.likeness <= likeness) ?? measured[0];
  const width = above.likeness - below.likeness;
  const share = width > 0 ? (likeness - below.likeness) / width : 0;
  const between = (name) => below[name] + share * (above[name] - below[name]);
  return { median: between("median"), p95: between("p95") };
}
