package views

import "octopus/internal/octopus"

// Run is the page of a run with many executions.
type Run struct {
	Page
	Run     octopus.Run
	Where   string
	Params  []Param
	Facts   []Pair
	Rows    []octopus.Execution
	Pages   Pages
	Closed  bool
	Filters []Link
}
