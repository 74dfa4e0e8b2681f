// A project document with everything in it that a page can be told to do.

export const SURVEY = {
  id: "0190-nps",
  name: "NPS",
  type: "popover",
  start_date: "2026-01-01T00:00:00Z",
  end_date: null,
  conditions: null,
  appearance: { surveyPopupDelaySeconds: 0, displayThankYouMessage: false },
  questions: [{ id: "q1", type: "open", question: "What is missing?", buttonText: "Send" }],
  current_iteration: null,
  current_iteration_start_date: null,
  feature_flag_keys: [],
  linked_flag_key: null,
  targeting_flag_key: null,
  internal_targeting_flag_key: null,
  // "always" would be shown anew within a second of being answered.
  schedule: "once",
};
export const DOCUMENT = {
  flags: [
    {
      key: "beta",
      active: true,
      filters: {
        groups: [{ properties: [], rollout_percentage: 0 }],
        super_groups: [
          {
            properties: [{ key: "$feature_enrollment/beta", type: "person", operator: "exact", value: ["true"] }],
            rollout_percentage: 100,
          },
        ],
      },
    },
  ],
  remote_config: {
    sessionRecording: { masking: { maskAllInputs: true } },
    captureDeadClicks: true,
    capturePerformance: { web_vitals: true, network_timing: true },
    autocaptureExceptions: true,
    heatmaps: true,
  },
  surveys: [SURVEY],
  early_access_features: [
    { id: "ea", name: "Beta", description: "", stage: "beta", documentationUrl: null, payload: null, flagKey: "beta" },
  ],
};
