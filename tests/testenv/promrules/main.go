// Command promrules checks alert rules, and the queries of Grafana dashboards, as promtool does.
//
// Usage: promrules RULES.yaml DASHBOARD.json. Each fault is a line on standard error; exit status 1.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

var expressions = parser.NewParser(parser.Options{})

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: promrules RULES.yaml DASHBOARD.json")
		os.Exit(2)
	}
	faults := append(rules(os.Args[1]), dashboard(os.Args[2])...)
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, fault)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}

func rules(path string) []error {
	groups, faults := rulefmt.ParseFile(path, false, model.UTF8Validation, expressions)
	if len(faults) == 0 && len(groups.Groups) == 0 {
		return []error{fmt.Errorf("%s: no rules", path)}
	}
	return faults
}

func dashboard(path string) []error {
	text, err := os.ReadFile(path)
	if err != nil {
		return []error{err}
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	queries := queriesIn(document)
	if len(queries) == 0 {
		return []error{fmt.Errorf("%s: no queries", path)}
	}
	var faults []error
	for _, query := range queries {
		// What Grafana puts in before it asks.
		query = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1d", "$schedule", ".*").Replace(query)
		if _, err := expressions.ParseExpr(query); err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", path, query, err))
		}
	}
	return faults
}

func queriesIn(value any) []string {
	var found []string
	switch value := value.(type) {
	case []any:
		for _, each := range value {
			found = append(found, queriesIn(each)...)
		}
	case map[string]any:
		for key, each := range value {
			if query, ok := each.(string); ok && key == "expr" {
				found = append(found, query)
			} else {
				found = append(found, queriesIn(each)...)
			}
		}
	}
	return found
}
