// Copy and download what a page shows once, and forget it when the page is left. The page works without.
"use strict";
{
    const text = (id) => document.getElementById(id).textContent;
    const say = (sentence) => {
        for (const place of document.querySelectorAll("[data-status]")) {
            place.textContent = sentence;
        }
    };

    const select = (id) => {
        getSelection().selectAllChildren(document.getElementById(id));
        say("Selected: press Ctrl+C or ⌘C to copy.");
    };

    const copy = async (id) => {
        try {
            await navigator.clipboard.writeText(text(id));
            say("Copied.");
        } catch {
            // Over plain http browsers give no clipboard away.
            select(id);
        }
    };

    const download = (id, name) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([text(id) + "\n"], { type: "application/octet-stream" }));
        link.download = name;
        link.click();
        URL.revokeObjectURL(link.href);
        say(`Saved as ${name}.`);
    };

    for (const button of document.querySelectorAll("[data-copy], [data-download]")) {
        button.hidden = false;
        button.addEventListener("click", () =>
            button.dataset.copy ? copy(button.dataset.copy) : download(button.dataset.download, button.dataset.name),
        );
    }

    // Browsers keep pages that are left alive, to go back to: this one must come back empty.
    window.addEventListener("pagehide", () => {
        for (const place of document.querySelectorAll("[data-secret]")) {
            place.textContent = "shown once, and gone";
        }
    });
}
