package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// downloadLogs is the log as a text file.
func (a *API) downloadLogs(ctx context.Context, in *ExecutionID) (*huma.StreamResponse, error) {
	x, err := a.store.Execution(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humachi.Unwrap(hctx)
		attach(w, x.ID+".log.txt")
		out := newLogWriter(w, "text/plain")
		if err := a.sendLogs(hctx.Context(), out, x.ID, 0, false); err != nil && hctx.Context().Err() == nil {
			a.log.Warn("log download ended", "execution", x.ID, "request", requestIDOf(hctx.Context()), "error", err)
		}
	}}, nil
}

// attach names a download. The names are made of our own ids.
func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

type downloadResultInput struct {
	ExecutionID
	Format string `query:"format" enum:"json,csv" default:"json" doc:"csv: the result, or the one named result, as a table."`
	Name   string `query:"name" maxLength:"256" doc:"csv: which named result."`
}

// downloadResult is the response as JSON, or a table of it as CSV.
func (a *API) downloadResult(ctx context.Context, in *downloadResultInput) (*huma.StreamResponse, error) {
	x, err := a.store.Execution(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if len(x.Response) == 0 {
		if !x.Status.Terminal() {
			return nil, octopus.Errorf(octopus.CodeConflict, "The execution has not ended yet. Wait for it, for example with ?wait=30 on the execution.")
		}
		return nil, octopus.Errorf(octopus.CodeNotFound, "The execution ended without a response: it is %s.", x.Status)
	}
	if in.Format == "json" {
		return attachment(x.ID+".json", "application/json", func(w io.Writer) error {
			_, err := w.Write(x.Response)
			return err
		}), nil
	}
	value, err := a.tableOf(ctx, x, in.Name)
	if err != nil {
		return nil, err
	}
	return attachment(x.ID+".csv", "text/csv; charset=utf-8", func(w io.Writer) error { return writeCSV(w, value) }), nil
}

func attachment(name, contentType string, write func(io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humachi.Unwrap(hctx)
		attach(w, name)
		w.Header().Set("Content-Type", contentType)
		_ = write(w) // the peer has gone: nobody is left to tell
	}}
}

// tableOf picks what a table shows: the named result asked for, else the response's result, else the only named
// result.
func (a *API) tableOf(ctx context.Context, x octopus.Execution, name string) (json.RawMessage, error) {
	var r sdk.Response
	if err := json.Unmarshal(x.Response, &r); err != nil {
		return nil, fmt.Errorf("stored response of %s: %w", x.ID, err)
	}
	if name == "" && len(r.Result) > 0 && string(r.Result) != "null" {
		return r.Result, nil
	}
	results, err := a.store.Results(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range results {
		if n.Name == name || name == "" && len(results) == 1 {
			return n.Value, nil
		}
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		return nil, octopus.Errorf(octopus.CodeNotFound, "The response has no result that a table could show. Download it as json.")
	}
	return nil, octopus.InvalidField("name", "Say which result with name: %s.", strings.Join(names, ", "))
}

// writeCSV writes an array of objects as a table with their keys as columns, an array of anything else as one
// column, and an object as two columns.
func writeCSV(w io.Writer, value json.RawMessage) error {
	var v any
	if err := decodeNumbers(value, &v); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	switch v := v.(type) {
	case []any:
		columns := columnsOf(v)
		if len(columns) == 0 {
			columns = []string{"value"}
		}
		_ = out.Write(safe(columns))
		for _, row := range v {
			_ = out.Write(safe(cells(row, columns)))
		}
	case map[string]any:
		_ = out.Write([]string{"name", "value"})
		for _, key := range slices.Sorted(maps.Keys(v)) {
			_ = out.Write(safe([]string{key, cell(v[key])}))
		}
	default:
		_ = out.Write(safe([]string{cell(v)}))
	}
	out.Flush()
	return out.Error()
}

func columnsOf(rows []any) []string {
	seen := map[string]bool{}
	for _, row := range rows {
		object, _ := row.(map[string]any)
		for key := range object {
			seen[key] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func cells(row any, columns []string) []string {
	object, ok := row.(map[string]any)
	if !ok {
		return append([]string{cell(row)}, make([]string, len(columns)-1)...)
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = cell(object[c])
	}
	return out
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	data, _ := json.Marshal(v) // it came from JSON
	return string(data)
}

// safe keeps spreadsheets from running what a plugin wrote: a cell that begins like a formula gets an
// apostrophe (OWASP, CSV injection). Numbers stay numbers.
func safe(row []string) []string {
	for i, c := range row {
		if c == "" || !strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			continue
		}
		if isNumber(c) {
			continue
		}
		row[i] = "'" + c
	}
	return row
}

func isNumber(s string) bool {
	_, err := json.Number(s).Float64()
	return err == nil
}
