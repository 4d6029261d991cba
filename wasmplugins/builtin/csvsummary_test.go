package builtin_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"octopus/wasmplugins"
)

type csvColumn struct {
	Name, Type      string
	Filled, Missing int
	Min, Max        any
	Mean, Sum       float64
	MinLength       int `json:"min_length"`
	MaxLength       int `json:"max_length"`
}

func (c csvColumn) String() string {
	s := fmt.Sprintf("%s:%s:%d:%d", c.Name, c.Type, c.Filled, c.Missing)
	switch {
	case c.Min != nil:
		s += fmt.Sprintf(":%v..%v", c.Min, c.Max)
	case c.MaxLength > 0:
		s += fmt.Sprintf(":%d..%d", c.MinLength, c.MaxLength)
	}
	return s
}

type csvResult struct {
	Delimiter    string
	Rows, Broken int
	Columns      []csvColumn
	BrokenRows   []struct {
		Line, Fields int
		Why          string
	} `json:"broken_rows"`
}

func examineCSVSummary(t *testing.T, pool *wasmplugins.Pool, digest string) {
	s := newStage(t, pool, digest)
	for name, c := range map[string]struct {
		params  map[string]any
		rows    int
		columns string
		broken  string // line, fields and why, of each
	}{
		"integers":           {map[string]any{"text": "n\n1\n-5\n+7\n"}, 3, "n:integer:3:0:-5..7", ""},
		"numbers":            {map[string]any{"text": "n\n1\n.5\n1e3\n"}, 3, "n:number:3:0:0.5..1000", ""},
		"huge numbers":       {map[string]any{"text": "n\n12345678901234567890\n"}, 1, "n:number:1:0:1.2345678901234567e+19..1.2345678901234567e+19", ""},
		"codes":              {map[string]any{"text": "n\n007\n12\n"}, 2, "n:text:2:0:2..3", ""},
		"dates":              {map[string]any{"text": "d\n2026-02-01\n2026-01-31\n"}, 2, "d:date:2:0:2026-01-31..2026-02-01", ""},
		"times":              {map[string]any{"text": "d\n2026-02-01\n2026-01-31T10:00:00Z\n"}, 2, "d:time:2:0:2026-01-31T10:00:00Z..2026-02-01", ""},
		"booleans":           {map[string]any{"text": "b\ntrue\nNo\n"}, 2, "b:boolean:2:0", ""},
		"missing":            {map[string]any{"text": "a,b\n1,NA\n,null\n N/A ,x\n"}, 3, "a:integer:1:2:1..1 b:text:1:2:1..1", ""},
		"nothing":            {map[string]any{"text": "a,b\n,\n"}, 1, "a:empty:0:1 b:empty:0:1", ""},
		"empty":              {map[string]any{"text": ""}, 0, "", ""},
		"no header":          {map[string]any{"text": "1,2\n3,4\n", "header": false}, 2, "column 1:integer:2:0:1..3 column 2:integer:2:0:2..4", ""},
		"quotes":             {map[string]any{"text": "a,b\n\"x,\"\"y\"\"\n\",2\r\n\"\",\"\"\n"}, 2, "a:text:1:1:6..6 b:integer:1:1:2..2", ""},
		"CRLF, no end":       {map[string]any{"text": "a;b\r\n1;2\r\n\r\n3;4"}, 2, "a:integer:2:0:1..3 b:integer:2:0:2..4", ""},
		"tabs":               {map[string]any{"text": "a\tb,c\td\n1\t2\t3\n"}, 1, "a:integer:1:0:1..1 b,c:integer:1:0:2..2 d:integer:1:0:3..3", ""},
		"told":               {map[string]any{"text": "a;b,c|d\n1;2,3|4\n", "delimiter": "|"}, 1, "a;b,c:text:1:0:5..5 d:integer:1:0:4..4", ""},
		"other quotes":       {map[string]any{"text": "a,b\n'1,2',3\n", "quote": "'"}, 1, "a:text:1:0:3..3 b:integer:1:0:3..3", ""},
		"byte order mark":    {map[string]any{"text": "\ufeffa,b\n1,2\n"}, 1, "a:integer:1:0:1..1 b:integer:1:0:2..2", ""},
		"too few fields":     {map[string]any{"text": "a,b\n1\n1,2\n1,2,3\n"}, 3, "a:integer:1:0:1..1 b:integer:1:0:2..2", "2 1 1 fields instead of 2; 4 3 3 fields instead of 2"},
		"text after a quote": {map[string]any{"text": "a,b\n\"x\"y,2\n\"1\n2\",3\n"}, 2, "a:text:1:0:3..3 b:integer:1:0:3..3", "2 2 text after a closing quote"},
		"open quote":         {map[string]any{"text": "a,b\n1,2\n\"x,2\n3,4\n"}, 2, "a:integer:1:0:1..1 b:integer:1:0:2..2", "3 1 a quote that is never closed"},
		"many fields":        {map[string]any{"text": "a\n" + strings.Repeat(",", 1100) + "\n"}, 1, "a:empty:0:0", "2 1000 more than 1000 fields"},
	} {
		var r csvResult
		s.want(t, "summarize", c.params, "", &r)
		if got := strings.Trim(fmt.Sprint(r.Columns), "[]"); got != c.columns || r.Rows != c.rows {
			t.Errorf("%s: %d rows, %s, want %s", name, r.Rows, got, c.columns)
		}
		var broken []string
		for _, b := range r.BrokenRows {
			broken = append(broken, fmt.Sprint(b.Line, b.Fields, " ", b.Why))
		}
		if got := strings.Join(broken, "; "); strings.ReplaceAll(got, "  ", " ") != c.broken || r.Broken != len(broken) {
			t.Errorf("%s: broken %s, want %s", name, got, c.broken)
		}
	}
	for code, params := range map[string]map[string]any{
		"too_few_rows":    {"text": "a\n1\n", "at_least_rows": 2},
		"too_many_broken": {"text": "a\n1,2\n", "at_most_broken": 0},
		"missing_column":  {"text": "a\n1\n", "need_columns": []string{"a", "b"}},
		"not_found":       {"path": filepath.Join(s.dir, "none.csv")},
		"invalid_params":  {"text": "a", "path": s.dir},
	} {
		s.want(t, "summarize", params, code, nil)
	}
	examineLargeTable(t, s)
}

// examineLargeTable writes with Go's encoder a file of many pieces, far more than the plugin's memory, and counts along.
func examineLargeTable(t *testing.T, s stage) {
	random := rand.New(rand.NewPCG(3, 4))
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	write := func(row ...string) {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	write("n", "words", "x")
	least, most, sum, rows := math.Inf(1), math.Inf(-1), 0.0, 17_000
	padding := strings.Repeat("long, \"quoted\"\nand ünquoted ", 40)
	for i := range rows {
		v := math.Round(random.NormFloat64()*1e6) / 1e3
		least, most, sum = min(least, v), max(most, v), sum+v
		write(strconv.Itoa(i), padding[:random.IntN(200)]+"'"+padding, strconv.FormatFloat(v, 'f', -1, 64))
	}
	w.Flush()
	path := s.write(t, "large.csv", file.Bytes())
	s.memory = 12 << 20
	var r csvResult
	s.want(t, "summarize", map[string]any{"path": path, "delimiter": "auto"}, "", &r)
	if file.Len() < 16<<20 || r.Rows != rows || r.Broken != 0 || len(r.Columns) != 3 {
		t.Fatalf("%d MiB: %d rows, %d broken, %d columns", file.Len()>>20, r.Rows, r.Broken, len(r.Columns))
	}
	n, x := r.Columns[0], r.Columns[2]
	if n.Type != "integer" || n.Min != 0.0 || n.Max != float64(rows-1) || n.Mean != float64(rows-1)/2 {
		t.Errorf("n: %+v", n)
	}
	if x.Type != "number" || x.Min != least || x.Max != most || math.Abs(x.Mean-sum/float64(rows)) > 1e-6 {
		t.Errorf("x: %+v, want %g to %g, mean %g", x, least, most, sum/float64(rows))
	}
}
