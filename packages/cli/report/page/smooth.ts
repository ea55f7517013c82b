/**
 * The moving average that TensorBoard draws: exponential with a weight from 0 (none) to below 1, and divided by the weight that the values so
 * far have had in all, so that it does not start at zero. Nulls stay, and count for nothing. After `tf-dashboard`'s `resmoothDataset`.
 */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  let average = 0;
  let count = 0;
  return values.map((value) => {
    if (value === null || weight === 0) return value;
    average = weight * average + (1 - weight) * value;
    count++;
    return average / (1 - weight ** count);
  });
}
