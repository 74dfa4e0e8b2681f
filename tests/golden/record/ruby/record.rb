# frozen_string_literal: true

# Sends one of everything posthog-ruby can send to the server in HOGFLARE_RECORD_URL. Run with the SDK's
# lib folder on the load path.
require 'posthog'

def run(**options)
  client = PostHog::Client.new(api_key: 'phc_golden', host: ENV.fetch('HOGFLARE_RECORD_URL'), **options)
  client.capture(
    distinct_id: 'ruby-user',
    event: 'purchase',
    properties: { amount: 29.99, count: 9_007_199_254_740_993, text: 'grüße 🦔', nested: { a: [1, 2], b: nil } }
  )
  client.capture(
    distinct_id: 'ruby-user',
    event: 'in the past',
    timestamp: Time.new(2026, 1, 2, 3, 4, 5.678r, '+05:30'),
    groups: { company: 'acme' }
  )
  client.identify(distinct_id: 'ruby-user', properties: { email: 'ruby@example.com' })
  client.alias(distinct_id: 'ruby-user', alias: 'ruby-alias')
  client.group_identify(group_type: 'company', group_key: 'acme', properties: { size: 12 })
  client.capture(distinct_id: 'ruby-anonymous', event: 'personless', properties: { '$process_person_profile' => false })
  client.flush
  client.shutdown
end

run
run(sync_mode: true)
