package api_test

import (
	"testing"
	"time"

	"octopus/sdk"
)

// BenchmarkStartRun is the hot path: API to recorded result, with an agent that answers at once. It reports the
// statements that one run costs the database.
func BenchmarkStartRun(b *testing.B) {
	for _, tc := range []struct {
		name    string
		options []sdk.CallOption
	}{
		{"created", nil},
		{"minimal", []sdk.CallOption{sdk.WithMinimal()}},
		{"minimal and waited", []sdk.CallOption{sdk.WithMinimal(), sdk.WithWait(10 * time.Second)}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			w := newWorld(b)
			w.agent("web-01", 64)
			before := w.store.Statements()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := w.client.StartRun(b.Context(), greet(map[string]any{}), tc.options...); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(w.store.Statements()-before)/float64(b.N), "statements/op")
		})
	}
}
