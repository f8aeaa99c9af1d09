// Reads tables that nobody else sees: each input is a CSV file with a column `amount`. The result
// is the number of their rows, the sum of the amounts, and the mean.
package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
)

// badInput is the code that readers get in place of a result, by the convention of Veracruz.
const badInput = -4

type total struct {
	rows int
	sum  float64
}

func main() {
	all, err := addInputs()
	if err == nil && all.rows == 0 {
		err = errors.New("no input has a row")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // for the author alone, and only where the policy says debug
		os.Exit(badInput)
	}
	fmt.Fprintf(os.Stderr, "hello from Go, %d rows\n", all.rows)
	fmt.Printf("rows,sum,mean\n%d,%.2f,%.2f\n", all.rows, all.sum, all.sum/float64(all.rows))
}

// addInputs reads the files /input/0, /input/1 and so on.
func addInputs() (all total, err error) {
	for input := 0; ; input++ {
		file, err := os.Open(fmt.Sprintf("/input/%d", input))
		if errors.Is(err, fs.ErrNotExist) {
			return all, nil
		}
		if err == nil {
			err = all.add(file)
		}
		if err != nil {
			return all, fmt.Errorf("input %d: %w", input, err)
		}
	}
}

// add reads a table to its end. An error in it does not tell what a cell says.
func (all *total) add(table io.Reader) error {
	rows := csv.NewReader(table)
	head, err := rows.Read()
	if err != nil {
		return errors.New("there is no header")
	}
	column := slices.Index(head, "amount")
	if column < 0 {
		return errors.New("there is no column amount")
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d cannot be read", all.rows+1)
		}
		amount, err := strconv.ParseFloat(row[column], 64)
		if err != nil || math.IsNaN(amount) || math.IsInf(amount, 0) {
			return fmt.Errorf("row %d has no number", all.rows+1)
		}
		all.rows++
		all.sum += amount
	}
}
