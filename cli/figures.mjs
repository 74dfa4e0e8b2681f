// Cloudflare's own figures of the pipelines: what streams took, what was dropped in silence, what was written.
import { createApi } from "./api.mjs";
import { listOwn } from "./resources.mjs";

const QUERY = `query Pipelines($account: String!, $from: Time!, $to: Time!) {
  viewer { accounts(filter: { accountTag: $account }) {
    taken: pipelinesOperatorAdaptiveGroups(limit: 1000, filter: { streamId_neq: "", datetime_geq: $from, datetime_leq: $to }) { sum { recordsIn } dimensions { pipelineId } }
    written: pipelinesSinkAdaptiveGroups(limit: 1000, filter: { datetime_geq: $from, datetime_leq: $to }) { sum { recordsWritten filesWritten } dimensions { pipelineId } }
    dropped: pipelinesUserErrorsAdaptiveGroups(limit: 1000, filter: { datetime_geq: $from, datetime_leq: $to }) { count dimensions { pipelineId errorType } }
  } }
}`;

/**
 * Figures of our pipelines over the last hours. Errors of GraphQL come with status 200; the sets lag by
 * minutes and are sampled.
 * @returns {Promise<{stream: string, recordsIn: number, dropped: number, reasons: Record<string, number>, recordsWritten: number, filesWritten: number}[]>}
 */
export async function readPipelineFigures(context, hours) {
  const to = new Date();
  const from = new Date(to.getTime() - hours * 3_600_000);
  const variables = { account: context.account, from: from.toISOString(), to: to.toISOString() };
  const api = createApi({ token: context.token, account: context.account });
  const { data, errors } = await api.whole("POST", "/graphql", { query: QUERY, variables });
  if (errors?.length > 0) throw new Error(errors[0].message);
  const { taken, written, dropped } = data.viewer.accounts[0];
  const own = await listOwn(context.api, "pipelines", context.name);
  return own.map(({ stream, part }) => {
    const ours = (groups) => groups.filter((group) => group.dimensions.pipelineId === part.id);
    const sum = (groups, field) => ours(groups).reduce((total, group) => total + (group.sum[field] ?? 0), 0);
    const reasons = {};
    for (const { count, dimensions } of ours(dropped)) reasons[dimensions.errorType] = (reasons[dimensions.errorType] ?? 0) + count;
    return {
      stream,
      recordsIn: sum(taken, "recordsIn"),
      reasons,
      dropped: Object.values(reasons).reduce((total, count) => total + count, 0),
      recordsWritten: sum(written, "recordsWritten"),
      filesWritten: sum(written, "filesWritten"),
    };
  });
}
