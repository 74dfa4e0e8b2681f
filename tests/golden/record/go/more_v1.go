package main

import "github.com/posthog/posthog-go"

// Capture v0 as gzip, and capture v1 in every encoding.
func more(url string) {
	run(posthog.Config{Endpoint: url, BatchSize: 100, Compression: posthog.CompressionGzip})
	encodings := []posthog.CompressionMode{
		posthog.CompressionNone,
		posthog.CompressionGzip,
		posthog.CompressionDeflate,
		posthog.CompressionBrotli,
		posthog.CompressionZstd,
	}
	for _, encoding := range encodings {
		run(posthog.Config{
			Endpoint:    url,
			BatchSize:   100,
			CaptureMode: posthog.CaptureModeAnalyticsV1,
			Compression: encoding,
		})
	}
}
