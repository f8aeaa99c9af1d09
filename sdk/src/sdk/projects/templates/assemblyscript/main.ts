// Reads tables that nobody else sees: each input is a CSV file with a column `amount`, whose cells
// are not quoted. The result is the number of their rows, the sum of the amounts, and the mean.

import { Code, decodeText, encodeText, inputCount, readInput, say, writeOutput } from "./veracruz";

let rows = 0;
let sum = 0.0;

export function main(): i32 {
  for (let input: u32 = 0; input < inputCount(); input++) {
    if (!add(decodeText(readInput(input)))) {
      say(`input ${input} is no table with a number in each cell of a column amount`);
      return Code.BadInput;
    }
  }
  if (rows == 0) return Code.BadInput;
  say(`hello from AssemblyScript, ${rows} rows`); // to the author, if built with --debug
  writeOutput(encodeText(`rows,sum,mean\n${rows},${fixed(sum)},${fixed(sum / rows)}\n`));
  return Code.Success;
}

/** Adds the rows of a table; false if one has no number where it should. */
function add(table: string): bool {
  const lines = table.replaceAll("\r\n", "\n").split("\n");
  const column = lines[0].split(",").indexOf("amount");
  if (column < 0) return false;
  for (let line = 1; line < lines.length; line++) {
    if (lines[line].length == 0) continue;
    const cells = lines[line].split(",");
    if (cells.length <= column || !isNumber(cells[column])) return false;
    const amount = parseFloat(cells[column]);
    if (!isFinite(amount)) return false;
    rows += 1;
    sum += amount;
  }
  return true;
}

/** Whether a cell has nothing but what numbers are written with: `parseFloat` stops at the rest. */
function isNumber(cell: string): bool {
  for (let at = 0; at < cell.length; at++) {
    if (!"0123456789.+-eE".includes(cell.charAt(at))) return false;
  }
  return true;
}

/** A number with two decimals. */
function fixed(value: f64): string {
  const cents = <i64>Math.round(Math.abs(value) * 100);
  const sign = value < 0 && cents > 0 ? "-" : "";
  return `${sign}${cents / 100}.${(cents % 100).toString().padStart(2, "0")}`;
}
