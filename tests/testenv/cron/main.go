// Writes what robfig/cron v3.0.1, which Velero uses, makes of cron expressions.
//
// To write the table anew:
//
//	go run . > ../../format/fixtures/cron.txt
//
// A line is an expression, a time, and the times that come next, between tabs; or an expression and
// "error". The last time may be "never", or "hangs" where the library finds no end.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

// patience is how long one answer is waited for, of which thousands take a second.
const patience = 5 * time.Second

// How many times that come next are written, and how many random expressions of each kind are tried.
const (
	steps    = 3
	valid    = 1500
	mistaken = 250
)

func main() {
	time.Local = time.UTC
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	table := table{out: out, random: rand.New(rand.NewSource(1))}
	fmt.Fprintln(out, "# robfig/cron v3.0.1, by tests/testenv/cron; see there for the form")
	table.chosen()
	table.everywhere()
	table.made()
	table.broken()
}

type table struct {
	out    *bufio.Writer
	random *rand.Rand
}

// chosen asks the chosen expressions from a few ordinary times, without any zone.
func (t *table) chosen() {
	for _, expression := range chosen {
		for _, start := range starts {
			t.line(expression, at(start))
		}
	}
	for _, expression := range mistakes {
		t.line(expression, at(starts[0]))
	}
	for _, zone := range oddZones {
		t.line(zone+" 0 2 * * *", at(starts[0]))
	}
}

// everywhere asks those that meet a change of the clocks around each change.
func (t *table) everywhere() {
	for _, zone := range zones {
		for _, change := range zone.changes {
			for _, expression := range around {
				before := distances[t.random.Intn(len(distances))]
				start := at(change).Add(-before)
				t.line("CRON_TZ="+zone.name+" "+expression, start)
			}
		}
	}
}

// made asks random expressions from random times, half of them close to a change.
func (t *table) made() {
	for range valid {
		zone := zones[t.random.Intn(len(zones))]
		prefix := []string{"CRON_TZ=", "TZ="}[t.random.Intn(2)]
		start := at("2012-01-01T00:00:00Z").Add(time.Duration(t.random.Int63n(13*366*24*3600)) * time.Second)
		if len(zone.changes) > 0 && t.random.Intn(2) == 0 {
			change := at(zone.changes[t.random.Intn(len(zone.changes))])
			start = change.Add(time.Duration(t.random.Int63n(3*86400)-2*86400) * time.Second)
		}
		t.line(prefix+zone.name+" "+t.expression(), start)
	}
}

// broken changes a character or two of random expressions.
func (t *table) broken() {
	for range mistaken {
		expression := []byte(t.expression())
		for range 1 + t.random.Intn(2) {
			expression[t.random.Intn(len(expression))] = alphabet[t.random.Intn(len(alphabet))]
		}
		t.line(string(expression), at(starts[0]))
	}
}

func (t *table) line(expression string, start time.Time) {
	schedule, err := cron.ParseStandard(expression)
	if err != nil {
		fmt.Fprintf(t.out, "%s\terror\n", expression)
		return
	}
	times := []string{start.Format(time.RFC3339)}
	for range steps {
		found, ended := next(schedule, start)
		if !ended {
			times = append(times, "hangs")
			break
		}
		if found.IsZero() {
			times = append(times, "never")
			break
		}
		start = found
		times = append(times, start.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(t.out, "%s\t%s\n", expression, strings.Join(times, "\t"))
}

// next is the next time; false if the library does not find one. What looks for it goes on until the
// program ends.
func next(schedule cron.Schedule, start time.Time) (time.Time, bool) {
	result := make(chan time.Time, 1)
	go func() { result <- schedule.Next(start) }()
	select {
	case found := <-result:
		return found, true
	case <-time.After(patience):
		return time.Time{}, false
	}
}

func at(text string) time.Time {
	result, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return result
}
