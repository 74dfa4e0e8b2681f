// Sends one of everything posthog-go can send to the server in HOGFLARE_RECORD_URL.
package main

import (
	"os"
	"time"

	"github.com/posthog/posthog-go"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func run(config posthog.Config) {
	client, err := posthog.NewWithConfig("phc_golden", config)
	check(err)
	check(client.Enqueue(posthog.Capture{
		DistinctId: "go-user",
		Event:      "purchase",
		Properties: posthog.NewProperties().
			Set("amount", 29.99).
			Set("count", 9007199254740993).
			Set("text", "grüße 🦔").
			Set("nested", map[string]interface{}{"a": []int{1, 2}, "b": nil}),
	}))
	check(client.Enqueue(posthog.Capture{
		DistinctId: "go-user",
		Event:      "in the past",
		Timestamp:  time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.FixedZone("IST", 5*3600+1800)),
		Groups:     posthog.NewGroups().Set("company", "acme"),
	}))
	check(client.Enqueue(posthog.Identify{
		DistinctId: "go-user",
		Properties: posthog.NewProperties().Set("email", "go@example.com"),
	}))
	check(client.Enqueue(posthog.Alias{DistinctId: "go-user", Alias: "go-alias"}))
	check(client.Enqueue(posthog.GroupIdentify{
		Type:       "company",
		Key:        "acme",
		Properties: posthog.NewProperties().Set("size", 12),
	}))
	check(client.Enqueue(posthog.Capture{
		DistinctId: "go-anonymous",
		Event:      "personless",
		Properties: posthog.NewProperties().Set("$process_person_profile", false),
	}))
	check(client.Close())
}

func main() {
	url := os.Getenv("HOGFLARE_RECORD_URL")
	run(posthog.Config{Endpoint: url, BatchSize: 100})
	run(posthog.Config{Endpoint: url, BatchSize: 1, HistoricalMigration: true})
	more(url)
}
