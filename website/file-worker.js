// The search runs in a worker. Browsers refuse workers to pages that are opened as files: there, a hidden frame takes its place.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame = document.createElement("iframe");
    #waiting = [];
    #hear = (event) => {
      if (event.source !== this.#frame.contentWindow) return;
      const message = new MessageEvent("message", { data: event.data });
      this.onmessage?.(message);
      this.dispatchEvent(message);
    };

    constructor(url) {
      super();
      addEventListener("message", this.#hear);
      this.#frame.hidden = true;
      const script = new URL(url, location.href).href.replaceAll('"', "%22");
      this.#frame.srcdoc =
        `<script>self.postMessage = (data) => parent.postMessage(data, "*");</script><script src="${script}"></script>`;
      this.#frame.addEventListener("load", () => {
        for (const data of this.#waiting) this.#send(data);
        this.#waiting = null;
      });
      document.body.append(this.#frame);
    }

    // The frame's own postMessage is the worker's, which sends the other way.
    #send(data) {
      window.postMessage.call(this.#frame.contentWindow, data, "*");
    }

    postMessage(data) {
      if (this.#waiting === null) this.#send(data);
      else this.#waiting.push(data);
    }

    terminate() {
      removeEventListener("message", this.#hear);
      this.#frame.remove();
    }
  };
}
