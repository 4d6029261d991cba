package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// print writes a result to standard output, as --output says. table is called for the table; where it is nil the
// table is JSON too.
func (a *app) print(v any, table func(t *tabwriter.Writer)) error {
	switch a.flags.output {
	case "json":
		return printJSON(a.Out, v)
	case "yaml":
		return printYAML(a.Out, v)
	case "table", "":
		if table == nil {
			return printJSON(a.Out, v)
		}
		t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
		table(t)
		return t.Flush()
	}
	return oneOf("output", a.flags.output, "table", "json", "yaml")
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printYAML goes through JSON, so that both formats have the same names in the same order.
func printYAML(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(raw, &node); err != nil {
		return err
	}
	plainStyle(&node)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// plainStyle drops the braces and quotes that JSON brought along.
func plainStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plainStyle(c)
	}
}

// harmless spells out what would steer a terminal: control characters, and those that turn the direction of text.
// Log lines and messages come from plugins and other machines, which nobody should trust that far.
func harmless(s string) string {
	steers := func(r rune) bool {
		return unicode.IsControl(r) && r != '\t' && r != '\n' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	}
	if s = strings.ReplaceAll(s, "\r\n", "\n"); !strings.ContainsFunc(s, steers) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if steers(r) {
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// row writes one line of a table.
func row(t io.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		if s, ok := c.(string); ok {
			c = harmless(s)
		}
		fmt.Fprint(t, c)
	}
	fmt.Fprintln(t)
}

// dash stands for nothing in a table.
func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// oneLine keeps a text from breaking a table: its first line, at most n characters.
func oneLine(s string, n int) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// colourful says whether w is a terminal that wants colours.
func colourful(w io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return isTerminal(w)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && isConsole(f) // /dev/null is a device too
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
