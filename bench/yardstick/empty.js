// Reads the body and answers: what workerd and Miniflare cost before any work is done.
export default {
  async fetch(request) {
    await request.arrayBuffer();
    return Response.json({ status: "Ok" });
  },
};
