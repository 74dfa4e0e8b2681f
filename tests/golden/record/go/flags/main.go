// Asks posthog-go for flags, of the server and by definitions of the server in HOGFLARE_RECORD_URL, and
// prints what it read.
package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/posthog/posthog-go"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func read(config posthog.Config, isLocal bool) map[string]interface{} {
	config.Endpoint = os.Getenv("HOGFLARE_RECORD_URL")
	client, err := posthog.NewWithConfig("phc_golden", config)
	check(err)
	ask := func(key string) posthog.FeatureFlagPayload {
		return posthog.FeatureFlagPayload{
			Key:                 key,
			DistinctId:          "go-user",
			PersonProperties:    posthog.NewProperties().Set("email", "go@example.com"),
			Groups:              posthog.NewGroups().Set("company", "acme"),
			GroupProperties:     map[string]posthog.Properties{"company": posthog.NewProperties().Set("tier", "gold")},
			OnlyEvaluateLocally: isLocal,
		}
	}
	// Definitions come in the background.
	for i := 0; isLocal && i < 600; i++ {
		if value, err := client.GetFeatureFlag(ask("on")); err == nil && value == true {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	found := map[string]interface{}{}
	for _, key := range []string{"on", "off", "staff", "look", "gold"} {
		found[key], err = client.GetFeatureFlag(ask(key))
		check(err)
	}
	text, err := client.GetFeatureFlagPayload(ask("look"))
	check(err)
	found["payload"] = json.RawMessage(text)
	check(client.Close())
	return found
}

func main() {
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	remote := read(posthog.Config{FeatureFlagRequestTimeout: seconds(60)}, false)
	local := read(posthog.Config{SecretKey: "phs_golden", FeatureFlagRequestTimeout: seconds(60)}, true)
	check(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"remote": remote, "local": local}))
}
